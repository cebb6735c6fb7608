package compose

import "testing"

func TestMinio(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, full))
	if got := variable(t, p, "minio", "MINIO_ROOT_PASSWORD"); got != "minio-secret-value" {
		t.Errorf("MINIO_ROOT_PASSWORD = %q", got)
	}
	if got := variable(t, p, "python", "S3_ENDPOINT"); got != "http://minio:9000" {
		t.Errorf("S3_ENDPOINT = %q", got)
	}
	if got := variable(t, p, "python", "S3_PUBLIC_ENDPOINT"); got != "http://localhost:9000" {
		t.Errorf("S3_PUBLIC_ENDPOINT = %q", got) // what a browser is sent to
	}
	if got := variable(t, p, "python", "S3_BUCKET"); got != "full-shop" {
		t.Errorf("S3_BUCKET = %q", got)
	}
	own := load(t, config(t, full+"S3_ENDPOINT=https://s3.example.com\nS3_SECRET_KEY=mine\nS3_ACCESS_KEY=me\nS3_BUCKET=b\n"))
	if got := variable(t, own, "python", "S3_SECRET_KEY"); got != "mine" {
		t.Errorf("a store of one's own gets the key %q", got)
	}
}
