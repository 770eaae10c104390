"""What outcomes teach about scoring rules, and scores learned from them: pure, over counts and arrays.

Belongs here: joint weights of rules (``joint_weights``), how well scores tell won from lost (``discrimination``); a
score learned beside the rules (``training``), how it is used (``scorer``) and how good it is (``quality``). Does not
belong here: scoring by rules (``leadgate.scoring``), whose imports are slow; a report needs none of them.
"""
