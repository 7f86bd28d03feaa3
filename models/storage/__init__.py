"""Files in shared storage: an object store such as S3, or a folder that several machines have mounted."""
