"""Pieces of Python that an exported network is put together from."""

HELPERS = {
    "aggregate": '''def aggregate(x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
    """For each node the sum of what its neighbours have times the weights of their edges."""
    source, target = edge_index
    return scatter(x[source] * weight[:, None], target, dim_size=x.size(0))''',
    "leaky": """def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)""",
}
"""Functions by their names."""

PAIRS = '''def pair_scores(out: Tensor, pairs: Tensor) -> Tensor:
    """Logits of an edge between the nodes of each pair, of shape "m 2"."""
    return (out[pairs[:, 0]] * out[pairs[:, 1]]).sum(1)'''

LOAD = '''def load(path: str | Path = WEIGHTS) -> Gnn:
    """The trained network, ready to predict; a ValueError tells that the file is not the one that was written."""
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{path} is cut short or edited, or belongs to another network")
    model = Gnn()
    model.load_state_dict(read_weights(content))
    return model.eval()'''

EDGES = (
    ({"mean"}, "source, target = edge_index"),
    ({"mean"}, "mean_weight = edge_weight / scatter(edge_weight, target, dim_size=x.size(0))[target]"),
    ({"symmetric"}, "_, symmetric_weight = gcn_norm(edge_index, edge_weight, x.size(0), add_self_loops=False)"),
    (
        {"summed", "gcn"},
        "loops, loop_weight = add_self_loops(edge_index, edge_weight, fill_value=1.0, num_nodes=x.size(0))",
    ),
    ({"gcn"}, "_, gcn_weight = gcn_norm(loops, loop_weight, x.size(0), add_self_loops=False)"),
    ({"loops"}, "loops, _ = add_self_loops(edge_index, num_nodes=x.size(0))"),
)
"""Lines that make the edges and weights that some kinds of layers read, see `gnn_search.export_layers.Reads`."""
