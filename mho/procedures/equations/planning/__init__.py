"""How a chip is to hold a system: form, loop, shift, method, blocks and places, chosen by forecast.

- `linear_system`: the equations, and the goal: when a solve has converged;
- `loop_choice`, `method_choice`: the inverting loop, and the refinement around it; `solve_plan`: where all of it goes;
- `block_leaves`, `block_solve_plan`: the same of a matrix that no loop holds.
"""
