package files

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // the formats that can be read
	"image/jpeg"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/draw"
)

// MaxPixels bounds an image: a small file can hold a huge one, which would not fit into memory.
const MaxPixels = 40_000_000

// Sides of the box that a thumbnail fits into.
const (
	DefaultThumbnail = 200
	MaxThumbnail     = 2000
)

// jpegQuality is what thumbnails are stored with.
const jpegQuality = 85

// ImageInfo is what result.json says about an image.
type ImageInfo struct {
	Width        int    `json:"width"` // as it is stored: it may be shown turned
	Height       int    `json:"height"`
	Format       string `json:"format"` // png, jpeg or gif
	ThumbnailKey string `json:"thumbnail_key"`
}

// Pixels reads the size of an image from its header.
func Pixels(data []byte) (int, error) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("read the image's header: %w", err)
	}
	if cfg.Width < 1 || cfg.Height < 1 {
		return 0, errors.New("the image is empty")
	}
	if cfg.Width > MaxPixels || cfg.Height > MaxPixels { // keeps the product from overflowing
		return math.MaxInt, nil
	}
	return cfg.Width * cfg.Height, nil
}

// Thumbnail shrinks an image into a box, and turns it as EXIF says. It keeps the ratio of its sides and never enlarges.
// The thumbnail of a JPEG file is a JPEG file, any other a PNG file; name is what to call it.
func Thumbnail(r io.Reader, width, height int) (info ImageInfo, name string, thumbnail []byte, err error) {
	data, err := io.ReadAll(r) // an upload is not large
	if err != nil {
		return info, "", nil, fmt.Errorf("read the image: %w", err)
	}
	img, format, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return info, "", nil, fmt.Errorf("read the image: %w", err)
	}
	size := img.Bounds().Size()
	info = ImageInfo{Width: size.X, Height: size.Y, Format: format}
	turned := orientation(data, format)
	if lies(turned) {
		width, height = height, width
	}
	small := image.NewRGBA(image.Rectangle{Max: fitInto(size, width, height)})
	draw.CatmullRom.Scale(small, small.Bounds(), img, img.Bounds(), draw.Src, nil)
	small = turn(small, turned)
	var out bytes.Buffer
	if format == "jpeg" {
		name, err = "thumbnail.jpg", jpeg.Encode(&out, small, &jpeg.Options{Quality: jpegQuality})
	} else {
		name, err = "thumbnail.png", png.Encode(&out, small)
	}
	if err != nil {
		return info, "", nil, fmt.Errorf("write the thumbnail: %w", err)
	}
	return info, name, out.Bytes(), nil
}

func fitInto(size image.Point, width, height int) image.Point {
	scale := min(1, float64(width)/float64(size.X), float64(height)/float64(size.Y))
	side := func(n int) int { return max(1, int(math.Round(float64(n)*scale))) }
	return image.Pt(side(size.X), side(size.Y))
}
