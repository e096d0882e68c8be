import sys, os, re, base64, nbformat
nb = nbformat.read(sys.argv[1], 4); d = sys.argv[2]; os.makedirs(d, exist_ok=True); k = 0
for i, c in enumerate(nb.cells):
    for o in c.get("outputs", []):
        data = o.get("data", {})
        png = data.get("image/png")
        found = [png] if png else re.findall(r'data:image/png;base64,([^"]+)"', data.get("text/html", "") if isinstance(data.get("text/html", ""), str) else "".join(data["text/html"]))
        for p in found:
            open(f"{d}/{i:03d}_{k}.png", "wb").write(base64.b64decode(p)); k += 1
print(k, "figures")
