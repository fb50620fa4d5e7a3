"""SGG-Benchmark's COCO with relations: pictures, a file for each part beside them."""
