"""Our own fit: tables of counts → Gram matrix → smoothness by REML → shape constraints.

Nothing after the tables depends on the number of sales (Wood, Li, Shaddick & Augustin 2017,
*JASA* 112, 1199–1210).
"""
