"""EKS's clusters: without Docker MiniStack makes them without an API server. Another one is put in its place."""


def stand_in(name, endpoint, authority):
    """Has DescribeCluster tell this endpoint; gives the path where MiniStack reviews the tokens of the cluster."""
    from ministack.services import eks

    account, region, cluster = eks._cluster_for_auth(name)
    cluster.update(status="ACTIVE", endpoint=endpoint, certificateAuthority={"data": authority})
    return {"review": f"/_ministack/eks-auth/{account}/{region}/{name}/{cluster['_auth_token']}"}
