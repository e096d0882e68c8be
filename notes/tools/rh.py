import sys; sys.path.insert(0,'tools')
import course_map, notebooks, seeds, json
n=notebooks.read_source('resnet')
print('why:',notebooks.to_do('resnet'))
ps=course_map.sections(n)
print(sum(p.minutes for p in ps if not p.is_further), sum(p.minutes for p in ps if p.is_further), [(p.title[:12],round(p.minutes,1)) for p in ps])
print(seeds.code_hash(seeds.experiment('resnet')), json.load(open('notebooks/tables/resnet.json'))['code'])
