"""Our own controls, painted with the theme; they know parameters, never the engine."""
