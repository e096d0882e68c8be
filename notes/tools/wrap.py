"""wrap markdown paragraphs that have a line over 104 characters"""
import sys,textwrap,re
p=sys.argv[1]; out=[]; lines=open(p).read().split("\n")
def flush(par):
    if any(len(l)>104 for l in par) and not any(l.startswith(("# |","# #","# $$","#   ","# ```","# %%")) or l.startswith("# * ") for l in par) :
        text=" ".join(l[2:] for l in par)
        out.extend(textwrap.wrap(text,width=104,initial_indent="# ",subsequent_indent="# ",break_long_words=False,break_on_hyphens=False))
    else: out.extend(par)
par=[]; md=False
for l in lines:
    if l.startswith("# %%"):
        flush(par); par=[]; md="[markdown]" in l; out.append(l); continue
    if md and l.startswith("# ") and not l.startswith("# %%"): par.append(l)
    else: flush(par); par=[]; out.append(l)
flush(par)
open(p,"w").write("\n".join(out))
