#!/bin/bash
# mkvenv.sh WORKTREE : hard-linked copy of /tmp/fresh/.venv, paths rewritten
set -e
SRC=${SRC:-/tmp/fresh}; W=$1
cp -al $SRC/.venv $W/.venv
grep -rlI "$SRC/.venv\|$SRC" $W/.venv/bin $W/.venv/pyvenv.cfg $W/.venv/lib/python3*/site-packages/*.pth $W/.venv/lib/python3*/site-packages/__editable__* $W/.venv/lib/python3*/site-packages/bayesian*/ $W/.venv/share/jupyter/kernels 2>/dev/null | while read f; do
  cp --remove-destination "$f" "$f.new.$$"; sed -i "s#$SRC#$W#g" "$f.new.$$"; chmod --reference="$f" "$f.new.$$"; mv -f "$f.new.$$" "$f"; done
echo ok $W
