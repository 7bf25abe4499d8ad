"""The page: for sales staff, without statistics, with and without JavaScript."""
