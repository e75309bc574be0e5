"""`imagemill webhooks`: what receivers were told, and the secret that it is signed with."""
