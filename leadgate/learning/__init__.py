"""What outcomes teach about scoring rules: pure, over counts and arrays.

Belongs here: joint weights of rules (``joint_weights``), how well scores tell won from lost (``discrimination``). Does
not belong here: scoring (``leadgate.scoring``), whose imports are slow; a report needs none of them.
"""
