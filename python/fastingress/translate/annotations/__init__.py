"""Annotations: declared once as data, one file per family.

`declare` says what a declaration is, `registry` lists the families, `reading` applies them to an object, `reference`
writes the documentation. `known` lists the keys of ingress-nginx that are not supported.
"""
