"""How each step of a workflow touches the world, through the ports alone."""
