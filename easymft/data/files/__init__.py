"""Files of rows: found, decoded and parsed, whatever their format."""
