"""Typed Kubernetes objects: only the kinds and the fields that are read."""

from __future__ import annotations

from fastingress.objects.base import Object, ObjectKey, ObjectMeta
from fastingress.objects.cluster import Namespace, Node, NodeAddress, Pod
from fastingress.objects.config import ConfigMap, Secret
from fastingress.objects.decode import KINDS, Decoded, decode, decode_json, items_of, manifest_uid
from fastingress.objects.ingress import (
    HTTPIngressPath,
    HTTPIngressRule,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassParameters,
    IngressClassSpec,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    PathType,
    ResourceRef,
    ServiceBackendPort,
)
from fastingress.objects.service import (
    Endpoint,
    EndpointAddress,
    EndpointConditions,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Protocol,
    Service,
    ServicePort,
    ServiceSpec,
)
from fastingress.objects.status import LoadBalancerIngress, LoadBalancerStatus

__all__ = [
    "KINDS",
    "ConfigMap",
    "Decoded",
    "Endpoint",
    "EndpointAddress",
    "EndpointConditions",
    "EndpointPort",
    "EndpointSlice",
    "EndpointSubset",
    "Endpoints",
    "HTTPIngressPath",
    "HTTPIngressRule",
    "Ingress",
    "IngressBackend",
    "IngressClass",
    "IngressClassParameters",
    "IngressClassSpec",
    "IngressRule",
    "IngressServiceBackend",
    "IngressSpec",
    "IngressTLS",
    "LoadBalancerIngress",
    "LoadBalancerStatus",
    "Namespace",
    "Node",
    "NodeAddress",
    "Object",
    "ObjectKey",
    "ObjectMeta",
    "PathType",
    "Pod",
    "Protocol",
    "ResourceRef",
    "Secret",
    "Service",
    "ServiceBackendPort",
    "ServicePort",
    "ServiceSpec",
    "decode",
    "decode_json",
    "items_of",
    "manifest_uid",
]
