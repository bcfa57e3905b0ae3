"""Physics as weak forms: what is to be solved, never how."""
