import joblib,glob,os,numpy as np
fs=sorted((f for f in glob.glob('/tmp/wt/transfer/build/runs/**/output.pkl',recursive=True) if os.path.getmtime(f)>__import__('time').time()-3600),key=os.path.getmtime)
R=[r[0] for r in (joblib.load(f) for f in fs) if isinstance(r,list) and len(r)==1 and 'untrained twin' in r[0].get('race',{})]
print(len(R)); L=[1,5,10,50,200]
five={k:np.array([r['race'][k] for r in R]) for k in R[0]['race']}
for k,v in five.items(): print(f'{k:24}',v.mean(0).round(3))
def g(a,b):
    d=five[a]-five[b]; f=d[:,:3].mean(1)
    se=lambda q:q.std(0,ddof=1)/len(q)**.5 if len(q)>1 else 0
    print(f'{a} - {b}:',d.mean(0).round(3),'±',np.round(se(d),3),'| few %.3f ± %.3f'%(f.mean(),se(f)),f.round(3))
for a,b in (('fine-tuned','from scratch'),('final layers','from scratch'),('fine-tuned','final layers'),('head only','untrained, head only'),('head only','from scratch'),('their network','head only'),('untrained twin','head only'),('their network','untrained twin'),('random windows','their network'),('random windows','untrained twin'),('random windows','fine-tuned'),('random windows + S','random windows'),('their network + S','their network'),('untrained twin + S','untrained twin'),('their network + S','untrained twin + S'),('their network + S','fine-tuned'),('random windows + S','fine-tuned'),('random windows + S','their network + S'),('their network','from scratch'),('random windows','from scratch')): g(a,b)
S={k:np.array([r['sources'][k] for r in R]) for k in R[0]['sources']}
for k,v in S.items():
    q=(S['as in section 2']-v)[:,1:4].mean(1); w=(v-S['nobody'])[:,1:4].mean(1)
    print(f'{k:18}',v.mean(0).round(3),'lost',q.round(3),'over nobody',w.round(3))
print({k:[r['rates'][k] for r in R] for k in R[0]['rates']})
print(np.array([r['on new'] for r in R]).mean(0).round(2),np.array([r['on old'] for r in R]).mean(0).round(2))
