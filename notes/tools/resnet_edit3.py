from pathlib import Path
import re
p=Path('notebooks/source/resnet.py'); s=p.read_text()
def r(a,b):
    global s
    # whitespace-tolerant over comment line breaks
    pat=r'(?:\s+|\n# )'.join(re.escape(w) for w in a.split())
    m=re.findall(pat,s); assert len(m)==1,(len(m),a)
    s=re.sub(pat,lambda _:b,s)
r("Section 6 trains the plain network four times longer.","Section 6 tries four.")
r("(64,000 steps are another matter.) **The","**The")
r("take all of it. That the factors still come close is luck in part: they overstate the edges and leave out the drift. See section 7.)","take all of it, though the factors come so close: see section 7.)")
r("(Over the stored seeds, which learned more, the difference is smaller: section 7.)","(Over the stored seeds the difference is smaller: section 7.)")
r("clearly lower, and still far above 20 layers.)","clearly lower.)")
r("cuts half of them; the others remain.","cuts half of them.")
r("Does the explosion last? Section 7 takes a few steps.","Does the explosion last? See section 7.")
r("In the plain network that is a surprise that you know from `training_deep_networks` (section 2 there): the","In the plain network you know this from `training_deep_networks` (section 2 there): the")
r("(enlarged at the right). Beside the little that there is to descend they are large.","(enlarged at the right).")
r("All but one. (The table of section 6 has the numbers.)","All but one (table of section 6).")
r("(Mind that with 8 layers larger rates were tried than with 20 and 56.)","(For 8 layers the rates are larger.)")
r("What comes after these few steps, whether the front then learns too slowly, was not looked at here. So this does","What comes after these few steps was not looked at. So this does")
r("L. Xiao, Y. Bahri, J. Sohl-Dickstein, S. S. Schoenholz, J. Pennington: *Dyn","L. Xiao et al.: *Dyn")

import textwrap,subprocess
s=s.replace("Section 6 tries four.","Section 6 tries four times as many.")
old=set(subprocess.run(['git','show','HEAD:notebooks/source/resnet.py'],capture_output=True,text=True).stdout.splitlines())
out=[];para=[]
def flush():
    global para
    if para and any(l not in old for l in para):
        ind='  ' if para[0].startswith('# * ') else ''
        txt=' '.join(l[2:].strip() for l in para)
        txt=re.sub(r' (\d+\. )','\x00\\1',txt)
        txt=re.sub(r'section (?=\d)','section\x00',txt)
        txt=re.sub(r' × ','\x00×\x00',txt)
        txt=re.sub(r'`[^`]*`',lambda m:m[0].replace(' ','\x00'),txt)
        para=['# '+l.replace('\x00',' ') for l in textwrap.wrap(txt,98,subsequent_indent=ind,break_long_words=False,break_on_hyphens=False)]
    out.extend(para); para=[]
md=False
for l in s.splitlines():
    if l.startswith('# %%'): flush(); md='[markdown]' in l; out.append(l); continue
    if md and l.startswith('# ') and not re.match(r'# (\||#|\$\$|```|\d\.|- )',l):
        if l.startswith('# * '): flush()
        para.append(l)
    elif md and re.match(r'# \d\. ',l) and para: para.append(l)
    else: flush(); out.append(l)
flush()
p.write_text('\n'.join(out)+'\n')
