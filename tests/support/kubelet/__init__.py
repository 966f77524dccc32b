"""A stand-in for the kubelet and for kube-scheduler: pods of an API server run as processes."""
