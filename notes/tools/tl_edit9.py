p='/tmp/wt/transfer/notebooks/source/transfer_learning.py'
s=open(p).read()
def rep(a,b,n=1):
    global s
    assert s.count(a)==n,(s.count(a),a)
    s=s.replace(a,b)
rep('[`convolutions`](convolutions.ipynb); covariance matrices |','[`convolutions`](convolutions.ipynb); covariance matrices and their eigenvectors |')
rep('85 minutes, and 10 more','90 minutes, and 15 more')
rep('it is the heart of linear discriminant analysis (1936),\n# only that there it is the scatter of one\'s own kinds, and here of theirs.','it is the heart of linear discriminant analysis (1936).\n# There it is the scatter of one\'s own kinds, here of theirs.')
rep('and whitening by all their scatter takes away both','x') if 'and whitening by all their scatter takes away both' in s else None
rep('It has no setting at all.','It has no setting.')
rep('What the same input brings back is the price of another input: the smaller part. The rest is the price of the\n# lost pixels. So this experiment, too, needed its control.','What the same input brings back is the price of another input. The rest is the price of the lost pixels. So this\n# experiment, too, needed its control. (The share is that of one source.)')
open(p,'w').write(s)
