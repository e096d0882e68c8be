import sys,time
sys.path.insert(0,'/tmp/wt/transfer')
import course_utils
SEED=course_utils.setup(seed=1)
import keras,numpy as np,tensorflow as tf
from course_utils import data,training
src=open('/tmp/wt/transfer/notebooks/source/transfer_learning.py').read()
def grab(a,b):
    i=src.index(a); return src[i:src.index(b,i)]
t=time.process_time
print('import',t())
a=t();s=data.load_mnist1d(SEED,8000);print('data',t()-a)
exec(grab('class Moves','# %% [markdown]'))
exec(grab('def learn(start','def answers'))
o=s.y<5
x,y=s.x[o][:3000],s.y[o][:3000]
for st in (300,300,900):
    a=t();learn(scratch,x,y,.01,st);print(st,t()-a)
a=t();
for _ in range(5): learn(scratch,x[:50],y[:50],.01,200)
print('5x200 small',t()-a)
digits=data.load_mnist5k()
a=t()
P=digits.x.reshape(-1,14,2,14,2).mean(axis=(2,4)).reshape(-1,14,14,1)/255; low=digits.y<5
cnn=keras.Sequential([keras.Input((14,14,1)),keras.layers.Conv2D(32,3,activation='relu'),keras.layers.Conv2D(32,3,activation='relu'),keras.layers.MaxPooling2D(2),keras.layers.Flatten(),keras.layers.Dense(5)])
cnn.compile(keras.optimizers.Adam(0.003),model.loss)
training.fit(cnn,P[low],digits.y[low],epochs=4,batch_size=50);print('cnn 4',t()-a)
