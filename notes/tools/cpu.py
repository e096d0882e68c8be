"""cpu.py SRC OUT: wall and cpu seconds per cell"""
import sys, time, os
os.environ.setdefault("COURSE_DATA", "/work/shared/data")
import jupytext, nbformat, psutil
from nbclient import NotebookClient
src, out = sys.argv[1:3]
nb = jupytext.read(src)
nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
c = NotebookClient(nb, timeout=900, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": os.path.abspath("notebooks")}})
tot=0
with c.setup_kernel():
    pid=None
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != "code": continue
        if pid is None:
            pid=[p for p in psutil.Process().children(recursive=True) if 'ipykernel' in ' '.join(p.cmdline())][0]
        a=pid.cpu_times(); t=time.time()
        c.execute_cell(cell, i)
        b=pid.cpu_times(); d=b.user+b.system-a.user-a.system; tot+=d
        err=[o for o in cell.outputs if o.output_type=="error"]
        if d>.7 or err: print(f"{i:3d} cpu {d:6.1f} wall {time.time()-t:6.1f}  {cell.source.strip().splitlines()[0][:70]!r}", *(f"ERROR {o.ename} {o.evalue[:500]}" for o in err), flush=True)
    print(f"cpu {tot:.1f} rss {pid.memory_info().rss/2**30:.2f} GiB")
nbformat.write(nb, out)
