p='/tmp/wt/transfer/course_utils/lessons/transfer_learning.py'
s=open(p).read()
i=s.index('TEXTS = {'); j=s.index('\n}\n',i)
s=s[:i]+'''TEXTS = {
    "cover": "Five signals of kinds that have many labels, and below them five of kinds that have "
    "few. All are wavy lines.",
    "filters": "Twelve windows of the first layer before and after training: bumps, slopes and "
    "zigzags in both. A signal with a deep dip. The answers of the third layer to it: many units "
    "at one place or two, some at none.",
    "rates": "Accuracy against the learning rate. On the new kinds it begins below the head only, "
    "is above it at middle rates, and falls at the largest. On the old kinds it falls all the way, "
    "to guessing.",
    "race": "Accuracy against labels for each kind. The fine-tuned network and the one with trained "
    "final layers are above the one from scratch with few labels, and the head only ends below all.",
    "windows": "Random windows run close to the fine-tuned network, and above the untrained twin.",
    "scatter": "The three sets of features without the scatter S, and dashed with it. Up to ten "
    "labels random windows with S are highest.",
    "sources": "Accuracy of a head on the frozen features of six sources. The source of section 2 "
    "is highest at every number of labels.",
    "stored": "Means and ranges over five sources. On the left accuracy against labels for seven "
    "methods, on the right how far each is above the fine-tuned network.",'''+s[j:]
open(p,'w').write(s)
p='/tmp/wt/transfer/tests/test_lesson_transfer_learning.py'
s=open(p).read()
s=s.replace('''    axes = plt.subplots(1, 2, layout="constrained")[1]
''','''    lesson.draw_race(ax, labels, {f"{names[0]} + S": {1: 0.3, 5: 0.6}})
    assert (ax.lines[-1].get_color(), ax.lines[-1].get_linestyle()) == (lesson.COLOURS[names[0]], "--")
    axes = plt.subplots(1, 2, layout="constrained")[1]
''')
open(p,'w').write(s)
p='/tmp/wt/transfer/docs/lecturers.md'
s=open(p).read()
a='Exercise 2 as a question to all, exercise 3 as homework. Vote on the layer.'; assert a in s
s=s.replace(a,'Exercise 2 as a question to all, exercise 3 as homework. Vote on what to keep of a frozen network.')
a='| 4. The race | 3 | Draw three curves'; assert a in s
s=s.replace(a,'| 4. The race | 3 | Draw four curves')
a='| 5. A network that nobody trained | 3 | One vote: where do random windows run? Wait before you show it. |'; assert a in s
s=s.replace(a,'| 5. Weights that nobody trained | 3 | One vote: their network, its untrained twin, random windows, in which order? Wait before you show it. |')
a='| 7. The three conditions | 13 | Exercise 5 is the vote. |'; assert a in s
s=s.replace(a,'| 7. The three conditions | 13 | Exercise 5 is what the slides promise; then vote on the measured order. |')
open(p,'w').write(s)
