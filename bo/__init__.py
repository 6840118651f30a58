"""The campaign: ask and tell, acquisition, pools, strategies, store, report."""
