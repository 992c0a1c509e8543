"""Your own activities, called by a track by name: `result = await lead.do("look_up_credit", {"limit": 5})`.

A function here marked `@activity.defn` takes a `DoOrder`, may touch the world, and returns JSON.

It may run twice (a worker can die after the work and before the answer): use `order.key`, the same on each try, to do
the work once.
"""
