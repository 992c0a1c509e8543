"""200 leads live six months in two minutes, and what is shown of them."""
