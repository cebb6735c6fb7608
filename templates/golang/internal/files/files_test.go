package files

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"\x89PNG\r\n\x1a\n...": PNG, "\xff\xd8\xff\xe0": JPEG, "GIF89a": GIF, "GIF87a": GIF, "%PDF-1.7\n\xe2\xe3": PDF,
		"a,b\r\n1,2\r\n": CSV, "\ufeffa\tb": CSV, "Größe": CSV, "": CSV,
		"PK\x03\x04": "", "\x7fELF": "", "a\x00b": "", "\xff\xfe": "", "MZ\x90": "",
	} {
		if got := Detect([]byte(data)); got != want {
			t.Errorf("%q is %q, want %q", data, got, want)
		}
	}
	for given, want := range map[string]string{
		"Image/JPG": JPEG, "\ttext/csv; charset=utf-8": CSV, "image/png": PNG, "": "",
	} {
		if got := NormalType(given); got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
	}
}

func picture(t *testing.T, format string, width, height int) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.White, color.RGBA{R: 255, A: 255}})
	for i := range img.Pix {
		img.Pix[i] = uint8(i % 2)
	}
	var out bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&out, img)
	case "jpeg":
		err = jpeg.Encode(&out, img, nil)
	default:
		err = gif.Encode(&out, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestThumbnail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format                    string
		width, height, boxW, boxH int
		wantName                  string
		wantFormat                string
		wantWidth, wantHeight     int
	}{
		{"png", 400, 300, 200, 200, "thumbnail.png", "png", 200, 150},
		{"jpeg", 300, 401, 200, 200, "thumbnail.jpg", "jpeg", 150, 200},
		{"gif", 50, 40, 200, 200, "thumbnail.png", "png", 50, 40},
		{"png", 1000, 2, 200, 200, "thumbnail.png", "png", 200, 1},
		{"png", 400, 300, 400, 100, "thumbnail.png", "png", 133, 100},
	} {
		data := picture(t, tt.format, tt.width, tt.height)
		if n, err := Pixels(data); n != tt.width*tt.height || err != nil {
			t.Errorf("%+v: %d pixels, %v", tt, n, err)
		}
		info, name, small, err := Thumbnail(bytes.NewReader(data), tt.boxW, tt.boxH)
		if err != nil {
			t.Fatal(err)
		}
		if want := (ImageInfo{Width: tt.width, Height: tt.height, Format: tt.format}); info != want || name != tt.wantName {
			t.Errorf("%+v: got %+v as %s", tt, info, name)
		}
		cfg, format, err := image.DecodeConfig(bytes.NewReader(small))
		if err != nil || format != tt.wantFormat || cfg.Width != tt.wantWidth || cfg.Height != tt.wantHeight {
			t.Errorf("%+v: the thumbnail is a %s of %dx%d, %v", tt, format, cfg.Width, cfg.Height, err)
		}
	}
	broken := picture(t, "png", 40, 40)
	if _, _, _, err := Thumbnail(bytes.NewReader(broken[:len(broken)-20]), 200, 200); err == nil {
		t.Error("half an image has a thumbnail")
	}
	if _, err := Pixels([]byte("\x89PNG\r\n\x1a\n")); err == nil {
		t.Error("an image without a header has a size")
	}
}

// exif is the APP1 segment of a JPEG file that says nothing but an orientation.
func exif(orientation byte) []byte {
	body := append([]byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"),
		orientation, 0, 0, 0, 0, 0, 0)
	return append([]byte{0xff, 0xe1, 0, byte(len(body) + 2)}, body...)
}

// Each image has red in the corner that is to be seen at the top left, and lies as its orientation says.
func TestThumbnailIsTurned(t *testing.T) {
	t.Parallel()
	for orientation, corner := range map[byte]image.Point{
		1: {0, 0}, 2: {1, 0}, 3: {1, 1}, 4: {0, 1}, 5: {0, 0}, 6: {0, 1}, 7: {1, 1}, 8: {1, 0}, 9: {0, 0},
	} {
		img := image.NewRGBA(image.Rect(0, 0, 64, 32))
		draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
		quarter := image.Rect(0, 0, 32, 16).Add(image.Pt(corner.X*32, corner.Y*16))
		draw.Draw(img, quarter, image.NewUniform(color.RGBA{R: 255, A: 255}), image.Point{}, draw.Src)
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 100}); err != nil {
			t.Fatal(err)
		}
		data := slices.Insert(out.Bytes(), 2, exif(orientation)...)
		info, _, small, err := Thumbnail(bytes.NewReader(data), 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(small))
		if err != nil {
			t.Fatal(err)
		}
		want := image.Pt(16, 8)
		if orientation > 4 && orientation < 9 {
			want = image.Pt(8, 16)
		}
		if got.Bounds().Size() != want || info.Width != 64 || info.Height != 32 {
			t.Errorf("orientation %d: got %v of %+v, want %v", orientation, got.Bounds().Size(), info, want)
		}
		for _, at := range []image.Point{{2, 2}, {want.X - 2, 2}, {2, want.Y - 2}, {want.X - 2, want.Y - 2}} {
			_, green, _, _ := got.At(at.X, at.Y).RGBA()
			if red := green < 0x8000; red != (at == image.Pt(2, 2)) {
				t.Errorf("orientation %d: %v is red: %t", orientation, at, red)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, csv, want string }{
		{"empty", "", `{"rows":0,"columns":[]}`},
		{"header", "a,b\n", `{"rows":0,"columns":[{"name":"a","empty":0,"numeric":0,"min":null,"max":null},` +
			`{"name":"b","empty":0,"numeric":0,"min":null,"max":null}]}`},
		{
			"numbers", "\ufeffn,t\r\n 1 ,x\r\n-2.5,\r\n\r\n1e3,\"a\nb\"\r\n+.5,7,8\r\n.,0x1\r\n",
			`{"rows":5,"columns":[{"name":"n","empty":0,"numeric":4,"min":-2.5,"max":1000},` +
				`{"name":"t","empty":1,"numeric":1,"min":7,"max":7}]}`,
		},
		{"ragged", "a,b\n1\n", `{"rows":1,"columns":[{"name":"a","empty":0,"numeric":1,"min":1,"max":1},` +
			`{"name":"b","empty":1,"numeric":0,"min":null,"max":null}]}`},
		{"beyond numbers", "a\n1e999\n", `{"rows":1,"columns":[{"name":"a","empty":0,"numeric":0,"min":null,"max":null}]}`},
		{"odd quotes", "a\nx\"y\n", `{"rows":1,"columns":[{"name":"a","empty":0,"numeric":0,"min":null,"max":null}]}`},
	} {
		s, err := Describe(strings.NewReader(tt.csv))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got, err := json.Marshal(s); err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
	}
}
