"""Your own activities, called by a track: `made = await lead.do(create_workspace, {"seats": 5})`.

A function here marked `@activity.defn` takes a `DoOrder` (`DoOrder[Workspace]` if its argument has a type), may touch
the world, and returns JSON or a model.

It may run twice (a worker can die after the work and before the answer): use `order.key`, the same on each try, to do
the work once.
"""
