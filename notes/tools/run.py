"""run.py SRC OUT : execute a source as a notebook, keep going after errors, print seconds per cell."""
import sys, time, os
os.environ.setdefault("COURSE_DATA", "/work/shared/data")
import jupytext, nbformat
from nbclient import NotebookClient
src, out = sys.argv[1:3]
nb = jupytext.read(src)
nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
c = NotebookClient(nb, timeout=900, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": os.path.abspath("notebooks")}})
t00 = time.time()
with c.setup_kernel():
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != "code": continue
        t0 = time.time()
        c.execute_cell(cell, i)
        dt = time.time() - t0
        err = [o for o in cell.outputs if o.output_type == "error"]
        if dt > 1 or err:
            print(f"{i:3d} {dt:6.1f} s  {cell.source.strip().splitlines()[0][:70]!r}", *(f"ERROR {o.ename}: {o.evalue[:600]}" for o in err), flush=True)
print(f"total {time.time()-t00:.1f} s")
nbformat.write(nb, out if out.endswith(".ipynb") else out + ".ipynb")
