import sys; sys.path.insert(0,'/tmp/wt/transfer')
import numpy as np
from course_utils.exercises.transfer_learning import q1,q4
for name,(f,_) in q1.mistakes.items(): print(name,q1.verdict(f)[0], q1.verdict(f)[1][:60])
def c(x,y,a):
    return q1.answer(x-x.mean(1,keepdims=True),y,a-a.mean())
def ten(x,y,a):
    return y[np.argmin([min(((r-np.roll(a,k))**2).sum() for k in range(10)) for r in x])]
print(q1.verdict(c),q1.verdict(ten),q1.verdict(q1.answer))
print(q4.verdict(lambda h,y:(lambda r:r.T@r/len(h))(h-np.stack([h[y==k].mean(0) if (y==k).any() else h[0] for k in range(y.max()+1)])[y])))
