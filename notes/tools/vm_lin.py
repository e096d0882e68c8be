import os,sys,time
os.environ.setdefault("COURSE_DATA","/work/shared/data")
import course_utils
import jupytext
src=open("notebooks/source/var_mod.py").read()
nb=jupytext.read("notebooks/source/var_mod.py"); code=[c.source for c in nb.cells if c.cell_type=="code"]
import matplotlib; matplotlib.use("agg"); os.chdir("notebooks")
import keras, numpy as np, resource
from keras import ops
from sklearn.decomposition import PCA
from course_utils import data, training
from course_utils.lessons import var_mod as lesson
def train(model, epochs, rate, x=None, loss=None, batch=100):
    model(x[:2]); growing = epochs * len(x) // (4 * batch)
    rates = keras.optimizers.schedules.CosineDecay(rate / 20, 3 * growing, warmup_target=rate, warmup_steps=growing)
    model.compile(keras.optimizers.Adam(rates), loss=loss); training.fit(model, x, x, epochs, batch); return model
digits = data.load_digits(); small = (digits.x.reshape(-1, 64) / 16).astype("float32")
ppca = PCA(10).fit(small).score(small)
for steps in (1200,2000):
  for rate in (.03,):
    for seed in (1,1003,1005):
      keras.utils.set_random_seed(seed); t=time.process_time()
      m=train(lesson.LinearVAE(10,64,False),steps,rate,small,loss=lambda x,n:n,batch=len(small))
      print(steps,rate,seed, ppca+float(ops.mean(m(small))), round(time.process_time()-t,1),flush=True)
