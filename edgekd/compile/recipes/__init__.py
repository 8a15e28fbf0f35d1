"""Ways to compile a graph, one module each, found by name.

A recipe module holds:

- `VERSION`: an integer that its author raises when its files change;
- `RUNTIMES`: the runtimes that it compiles for;
- `KINDS`: the kinds of students that it compiles; a target's builds for others are left out;
- `ISAS`: the instruction sets on which its answers are what was measured;
- `IS_EXACT`: whether its outputs must equal the fp32 graph's but for rounding;
- `RESTORES`: the runtimes for which `build` takes `kept`, names of operators to leave in fp32;
- `LIBRARIES`: the packages whose versions decide its files;
- `ISAS_OF` and `LIBRARIES_OF`, where a runtime has others: the same by the runtime's name;
- `build(graph, folder, calibration_ids, runtime)`: write the model, under the name that the
  runtime's `MODEL` gives, and nothing else into `folder`. The same input gives the same bytes.
"""
