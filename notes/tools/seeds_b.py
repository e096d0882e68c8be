"""seeds_b.py LESSON : seeds 1008..1005 into the cache, beside a tools/seeds.py LESSON that goes upward."""
import sys
sys.path.insert(0, "tools")
import execution
execution.CELL_TIMEOUT = 1500
import seeds
L = sys.argv[1]
seeds.runs(L, seeds.notebooks.read_source(L), [1008, 1007, 1006, 1005])
