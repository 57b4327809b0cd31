"""A/B experiments: how often they find what is not there under daily looks, and how soon what is."""
