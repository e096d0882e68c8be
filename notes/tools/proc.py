import sys; sys.path.insert(0, "tools")
import processors
for s in sys.argv[2].split("|"):
    print(s, processors.run(s, [f"notebooks/{sys.argv[1]}.ipynb"]) if hasattr(processors, "run") else dir(processors), flush=True)
