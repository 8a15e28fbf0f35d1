"""Ways to deploy an artifact, one module each, named as a target's `bundle` names it.

A module holds:

- `RUNTIMES`: the runtimes whose artifacts it takes;
- `HEADS`: the heads that it answers for; `classify` alone is meant where a module has no such name;
- `POLICY`: what becomes of an artifact's routing policy: "run", "client" (the client that it ships runs it)
  or "not run", which is meant where a module has no such name;
- `build(artifact, target, folder, texts)`: write what the platform deploys into `folder`, which is empty. The
  same input gives the same bytes. `texts` are like those that will be asked, for golden answers; there may be
  none. It raises an EdgekdError where something is missing, before it has written much.
"""
