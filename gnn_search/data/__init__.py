"""Reading graphs, checking them and dividing them into parts; `gnn_search.data_sets` puts it together."""
