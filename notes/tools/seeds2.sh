cd /tmp/wt/$1; export COURSE_DATA=/work/shared/data TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
.venv/bin/python tools/seeds.py $2 > /tmp/b/seeds_$2.log 2>&1
