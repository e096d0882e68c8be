import sys; sys.path.insert(0,'tools')
import course_map, notebooks
nb=notebooks.read_source(sys.argv[1]); print(course_map.minutes(nb) if 0 else '')
tot=[0,0]
import inspect
for s in course_map.sections(nb):
    print({k:getattr(s,k) for k in ('title','minutes') if hasattr(s,k)} , s)
print(inspect.getsource(course_map.minutes)); print(inspect.getsource(course_map.time))
