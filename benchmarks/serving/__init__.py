"""This runtime beside other servers: same model, same pictures, same run."""
