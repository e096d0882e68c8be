import sys, json, subprocess
sys.path.insert(0,"tools")
import notebooks as n, seeds, jupytext
p=n.NOTEBOOKS/"tables/resnet.json"; j=json.loads(p.read_text())
def cells(nb):
    out=[]
    for c in nb.cells:
        if c.cell_type=="code": out.append(c.source)
        if c.cell_type=="code" and "record = {" in c.source: break
    return out
old=jupytext.reads(subprocess.run(["git","show","HEAD:notebooks/source/resnet.py"],capture_output=True,text=True).stdout,"py:percent")
a,b=cells(old),cells(n.read_source("resnet"))
print(len(a),len(b)); 
for i,(x,y) in enumerate(zip(a,b)):
    if x!=y: print(i,"changed"); 
new=seeds.code_hash(seeds.experiment("resnet"))
s=p.read_text(); assert s.count(j["code"])==1
if "--write" in sys.argv: p.write_text(s.replace(j["code"],new))
