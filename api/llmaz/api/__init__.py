"""The words that every llmaz program shares: typed objects, their manifests, names and quantities.

Everything here is pure and stands on the standard library alone. The programs never import each
other; they meet in these types, and on the wire in the manifests that these types read and write.
"""
