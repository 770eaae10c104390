"""Who gets each lead: routes, pools, rotation, availability and skills. Pure: the state of pools goes in and comes out.

``routing`` decides with the others' help; ``assignment_result`` is the frame that comes out.
"""
