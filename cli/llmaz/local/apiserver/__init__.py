"""The embedded Kubernetes API server: objects in SQLite, served as a kube-apiserver serves them.

A request runs through a few steps: `routes` says what is asked, `auth` who asks, then `reading`,
`watching`, `writing` (admit, mutate, validate, store) or `deletion` answers from the `store`.
Background work (`collector`, `namespaces`, `housekeeping`) goes through the same steps.
"""
