"""Sources: one file per corpus or kind of input; `load` picks."""
