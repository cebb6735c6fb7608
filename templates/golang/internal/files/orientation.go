package files

import (
	"bytes"
	"image"

	"github.com/bep/imagemeta"
)

// upright is the orientation of an image that is to be shown as it lies.
const upright = 1

// orientation reads how an image is to be turned: from 1 to 8, as EXIF counts. Cameras store what the sensor saw, and note
// how they were held. What cannot be read counts as upright, as browsers have it.
func orientation(data []byte, format string) int {
	kind, ok := map[string]imagemeta.ImageFormat{"jpeg": imagemeta.JPEG, "png": imagemeta.PNG}[format]
	if !ok {
		return upright
	}
	found := upright
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: kind, Sources: imagemeta.EXIF,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool { return tag.Namespace == "IFD0" && tag.Tag == "Orientation" },
		HandleTag: func(tag imagemeta.TagInfo) error {
			if n, ok := tag.Value.(uint16); ok && n >= upright && n <= 8 {
				found = int(n)
			}
			return nil
		},
	})
	if err != nil {
		return upright
	}
	return found
}

// lies says that an image of this orientation changes its sides when it is turned.
func lies(orientation int) bool { return orientation > 4 }

// turn makes an image upright.
func turn(img *image.RGBA, orientation int) *image.RGBA {
	if orientation == upright {
		return img
	}
	size := img.Bounds().Size()
	right, bottom := size.X-1, size.Y-1
	if lies(orientation) {
		size.X, size.Y = size.Y, size.X
	}
	turned := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			from := [...]image.Point{
				2: {right - x, y}, 3: {right - x, bottom - y}, 4: {x, bottom - y},
				5: {y, x}, 6: {y, bottom - x}, 7: {right - y, bottom - x}, 8: {right - y, x},
			}[orientation]
			turned.SetRGBA(x, y, img.RGBAAt(from.X, from.Y))
		}
	}
	return turned
}
