"""From sensor arrays to what the towers take. Pure functions: arrays in, float32 tensors out.

Sizes are arguments, so that a smaller model runs through the same code; the defaults are those of
imagebind_huge.

    pictures   RGB uint8 (H, W, 3)             (3, 224, 224), two frames (3, 2, 224, 224)
    audio      float32 (n,) at any rate        (1, 128, 204)
    depth      float32 (H, W) metres           (1, 224, 224)
    thermal    float32 Celsius or uint8 (H, W) (1, 224, 224) or (3, 224, 224)
    imu        (n,) stamps, (n, 6) readings    (6, 2000)
"""
