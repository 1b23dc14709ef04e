"""The published weights: files, and how images are prepared for them.

A line: model, least height and width of an image, name, file, and for classification the sides that are cut out and resized to, then what
differs from bilinear interpolation and ImageNet's statistics.  A quotation mark repeats the model above.
"""

TABLE = """
AlexNet 63 IMAGENET1K_V1 alexnet-owt-7be5be79 224/256
ConvNeXt_Base 32 IMAGENET1K_V1 convnext_base-6075fbad 224/232
ConvNeXt_Large 32 IMAGENET1K_V1 convnext_large-ea097f82 224/232
ConvNeXt_Small 32 IMAGENET1K_V1 convnext_small-0c510722 224/230
ConvNeXt_Tiny 32 IMAGENET1K_V1 convnext_tiny-983f1562 224/236
DeepLabV3_MobileNet_V3_Large 1 COCO_WITH_VOC_LABELS_V1 deeplabv3_mobilenet_v3_large-fc3c493d segmentation
DeepLabV3_ResNet101 1 COCO_WITH_VOC_LABELS_V1 deeplabv3_resnet101_coco-586e9e4e segmentation
DeepLabV3_ResNet50 1 COCO_WITH_VOC_LABELS_V1 deeplabv3_resnet50_coco-cd0a2569 segmentation
DenseNet121 29 IMAGENET1K_V1 densenet121-a639ec97 224/256
DenseNet161 29 IMAGENET1K_V1 densenet161-8d451a50 224/256
DenseNet169 29 IMAGENET1K_V1 densenet169-b2777c0a 224/256
DenseNet201 29 IMAGENET1K_V1 densenet201-c1103571 224/256
EfficientNet_B0 1 IMAGENET1K_V1 efficientnet_b0_rwightman-7f5810bc 224/256 bicubic
EfficientNet_B1 1 IMAGENET1K_V1 efficientnet_b1_rwightman-bac287d4 240/256 bicubic
" 1 IMAGENET1K_V2 efficientnet_b1-c27df63c 240/255
EfficientNet_B2 1 IMAGENET1K_V1 efficientnet_b2_rwightman-c35c1473 288/288 bicubic
EfficientNet_B3 1 IMAGENET1K_V1 efficientnet_b3_rwightman-b3899882 300/320 bicubic
EfficientNet_B4 1 IMAGENET1K_V1 efficientnet_b4_rwightman-23ab8bcd 380/384 bicubic
EfficientNet_B5 1 IMAGENET1K_V1 efficientnet_b5_lukemelas-1a07897c 456/456 bicubic
EfficientNet_B6 1 IMAGENET1K_V1 efficientnet_b6_lukemelas-24a108a5 528/528 bicubic
EfficientNet_B7 1 IMAGENET1K_V1 efficientnet_b7_lukemelas-c5b4e57e 600/600 bicubic
EfficientNet_V2_L 33 IMAGENET1K_V1 efficientnet_v2_l-59c71312 480/480 bicubic half
EfficientNet_V2_M 33 IMAGENET1K_V1 efficientnet_v2_m-dc08266a 480/480
EfficientNet_V2_S 33 IMAGENET1K_V1 efficientnet_v2_s-dd5fe13b 384/384
FasterRCNN_MobileNet_V3_Large_320_FPN 1 COCO_V1 fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9 detection
FasterRCNN_MobileNet_V3_Large_FPN 1 COCO_V1 fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7 detection
FasterRCNN_ResNet50_FPN 1 COCO_V1 fasterrcnn_resnet50_fpn_coco-258fb6c6 detection
FasterRCNN_ResNet50_FPN_V2 1 COCO_V1 fasterrcnn_resnet50_fpn_v2_coco-dd69338a detection
FCN_ResNet101 1 COCO_WITH_VOC_LABELS_V1 fcn_resnet101_coco-7ecb50ca segmentation
FCN_ResNet50 1 COCO_WITH_VOC_LABELS_V1 fcn_resnet50_coco-1167a1af segmentation
FCOS_ResNet50_FPN 1 COCO_V1 fcos_resnet50_fpn_coco-99b0c9b7 detection
GoogLeNet 15 IMAGENET1K_V1 googlenet-1378be20 224/256
Inception_V3 75 IMAGENET1K_V1 inception_v3_google-0cc3c7bd 299/342
KeypointRCNN_ResNet50_FPN 1 COCO_LEGACY keypointrcnn_resnet50_fpn_coco-9f466800 detection
" 1 COCO_V1 keypointrcnn_resnet50_fpn_coco-fc266e95 detection
LRASPP_MobileNet_V3_Large 1 COCO_WITH_VOC_LABELS_V1 lraspp_mobilenet_v3_large-d234d4ea segmentation
MaskRCNN_ResNet50_FPN 1 COCO_V1 maskrcnn_resnet50_fpn_coco-bf2d0c1e detection
MaskRCNN_ResNet50_FPN_V2 1 COCO_V1 maskrcnn_resnet50_fpn_v2_coco-73cbd019 detection
MC3_18 1 KINETICS400_V1 mc3_18-a90a0ba3 video
MNASNet0_5 1 IMAGENET1K_V1 mnasnet0.5_top1_67.823-3ffadce67e 224/256
MNASNet0_75 1 IMAGENET1K_V1 mnasnet0_75-7090bc5f 224/232
MNASNet1_0 1 IMAGENET1K_V1 mnasnet1.0_top1_73.512-f206786ef8 224/256
MNASNet1_3 1 IMAGENET1K_V1 mnasnet1_3-a4c69d6f 224/232
MobileNet_V2 1 IMAGENET1K_V1 mobilenet_v2-b0353104 224/256
" 1 IMAGENET1K_V2 mobilenet_v2-7ebf99e0 224/232
MobileNet_V3_Large 1 IMAGENET1K_V1 mobilenet_v3_large-8738ca79 224/256
" 1 IMAGENET1K_V2 mobilenet_v3_large-5c1a4163 224/232
MobileNet_V3_Small 1 IMAGENET1K_V1 mobilenet_v3_small-047dcff4 224/256
R2Plus1D_18 1 KINETICS400_V1 r2plus1d_18-91a641e6 video
R3D_18 1 KINETICS400_V1 r3d_18-b3b3357e video
RegNet_X_16GF 1 IMAGENET1K_V1 regnet_x_16gf-2007eb11 224/256
" 1 IMAGENET1K_V2 regnet_x_16gf-ba3796d7 224/232
RegNet_X_1_6GF 1 IMAGENET1K_V1 regnet_x_1_6gf-e3633e7f 224/256
" 1 IMAGENET1K_V2 regnet_x_1_6gf-a12f2b72 224/232
RegNet_X_32GF 1 IMAGENET1K_V1 regnet_x_32gf-9d47f8d0 224/256
" 1 IMAGENET1K_V2 regnet_x_32gf-6eb8fdc6 224/232
RegNet_X_3_2GF 1 IMAGENET1K_V1 regnet_x_3_2gf-f342aeae 224/256
" 1 IMAGENET1K_V2 regnet_x_3_2gf-7071aa85 224/232
RegNet_X_400MF 1 IMAGENET1K_V1 regnet_x_400mf-adf1edd5 224/256
" 1 IMAGENET1K_V2 regnet_x_400mf-62229a5f 224/232
RegNet_X_800MF 1 IMAGENET1K_V1 regnet_x_800mf-ad17e45c 224/256
" 1 IMAGENET1K_V2 regnet_x_800mf-94a99ebd 224/232
RegNet_X_8GF 1 IMAGENET1K_V1 regnet_x_8gf-03ceed89 224/256
" 1 IMAGENET1K_V2 regnet_x_8gf-2b70d774 224/232
RegNet_Y_128GF 1 IMAGENET1K_SWAG_E2E_V1 regnet_y_128gf_swag-c8ce3e52 384/384 bicubic
" 1 IMAGENET1K_SWAG_LINEAR_V1 regnet_y_128gf_lc_swag-cbe8ce12 224/224 bicubic
RegNet_Y_16GF 1 IMAGENET1K_V1 regnet_y_16gf-9e6ed7dd 224/256
" 1 IMAGENET1K_V2 regnet_y_16gf-3e4a00f9 224/232
" 1 IMAGENET1K_SWAG_E2E_V1 regnet_y_16gf_swag-43afe44d 384/384 bicubic
" 1 IMAGENET1K_SWAG_LINEAR_V1 regnet_y_16gf_lc_swag-f3ec0043 224/224 bicubic
RegNet_Y_1_6GF 1 IMAGENET1K_V1 regnet_y_1_6gf-b11a554e 224/256
" 1 IMAGENET1K_V2 regnet_y_1_6gf-0d7bc02a 224/232
RegNet_Y_32GF 1 IMAGENET1K_V1 regnet_y_32gf-4dee3f7a 224/256
" 1 IMAGENET1K_V2 regnet_y_32gf-8db6d4b5 224/232
" 1 IMAGENET1K_SWAG_E2E_V1 regnet_y_32gf_swag-04fdfa75 384/384 bicubic
" 1 IMAGENET1K_SWAG_LINEAR_V1 regnet_y_32gf_lc_swag-e1583746 224/224 bicubic
RegNet_Y_3_2GF 1 IMAGENET1K_V1 regnet_y_3_2gf-b5a9779c 224/256
" 1 IMAGENET1K_V2 regnet_y_3_2gf-9180c971 224/232
RegNet_Y_400MF 1 IMAGENET1K_V1 regnet_y_400mf-c65dace8 224/256
" 1 IMAGENET1K_V2 regnet_y_400mf-e6988f5f 224/232
RegNet_Y_800MF 1 IMAGENET1K_V1 regnet_y_800mf-1b27b58c 224/256
" 1 IMAGENET1K_V2 regnet_y_800mf-58fc7688 224/232
RegNet_Y_8GF 1 IMAGENET1K_V1 regnet_y_8gf-d0d0e4a8 224/256
" 1 IMAGENET1K_V2 regnet_y_8gf-dc2b1b54 224/232
ResNet101 1 IMAGENET1K_V1 resnet101-63fe2227 224/256
" 1 IMAGENET1K_V2 resnet101-cd907fc2 224/232
ResNet152 1 IMAGENET1K_V1 resnet152-394f9c45 224/256
" 1 IMAGENET1K_V2 resnet152-f82ba261 224/232
ResNet18 1 IMAGENET1K_V1 resnet18-f37072fd 224/256
ResNet34 1 IMAGENET1K_V1 resnet34-b627a593 224/256
ResNet50 1 IMAGENET1K_V1 resnet50-0676ba61 224/256
" 1 IMAGENET1K_V2 resnet50-11ad3fa6 224/232
ResNeXt101_32X8D 1 IMAGENET1K_V1 resnext101_32x8d-8ba56ff5 224/256
" 1 IMAGENET1K_V2 resnext101_32x8d-110c445d 224/232
ResNeXt101_64X4D 1 IMAGENET1K_V1 resnext101_64x4d-173b62eb 224/232
ResNeXt50_32X4D 1 IMAGENET1K_V1 resnext50_32x4d-7cdf4587 224/256
" 1 IMAGENET1K_V2 resnext50_32x4d-1a0047aa 224/232
RetinaNet_ResNet50_FPN 1 COCO_V1 retinanet_resnet50_fpn_coco-eeacb38b detection
RetinaNet_ResNet50_FPN_V2 1 COCO_V1 retinanet_resnet50_fpn_v2_coco-5905b1c5 detection
ShuffleNet_V2_X0_5 1 IMAGENET1K_V1 shufflenetv2_x0.5-f707e7126e 224/256
ShuffleNet_V2_X1_0 1 IMAGENET1K_V1 shufflenetv2_x1-5666bf0f80 224/256
ShuffleNet_V2_X1_5 1 IMAGENET1K_V1 shufflenetv2_x1_5-3c479a10 224/232
ShuffleNet_V2_X2_0 1 IMAGENET1K_V1 shufflenetv2_x2_0-8be3c8ee 224/232
SqueezeNet1_0 21 IMAGENET1K_V1 squeezenet1_0-b66bff10 224/256
SqueezeNet1_1 17 IMAGENET1K_V1 squeezenet1_1-b8a52dc0 224/256
SSD300_VGG16 1 COCO_V1 ssd300_vgg16_coco-b556d3b4 detection
SSDLite320_MobileNet_V3_Large 1 COCO_V1 ssdlite320_mobilenet_v3_large_coco-a79551df detection
Swin_B 224 IMAGENET1K_V1 swin_b-68c6b09e 224/238 bicubic
Swin_S 224 IMAGENET1K_V1 swin_s-5e29d889 224/246 bicubic
Swin_T 224 IMAGENET1K_V1 swin_t-704ceda3 224/232 bicubic
Swin_V2_B 256 IMAGENET1K_V1 swin_v2_b-781e5279 256/272 bicubic
Swin_V2_S 256 IMAGENET1K_V1 swin_v2_s-637d8ceb 256/260 bicubic
Swin_V2_T 256 IMAGENET1K_V1 swin_v2_t-b137f0e2 256/260 bicubic
VGG11 32 IMAGENET1K_V1 vgg11-8a719046 224/256
VGG11_BN 32 IMAGENET1K_V1 vgg11_bn-6002323d 224/256
VGG13 32 IMAGENET1K_V1 vgg13-19584684 224/256
VGG13_BN 32 IMAGENET1K_V1 vgg13_bn-abd245e5 224/256
VGG16 32 IMAGENET1K_V1 vgg16-397923af 224/256
" 32 IMAGENET1K_FEATURES vgg16_features-amdegroot-88682ab5 224/256 bytes
VGG16_BN 32 IMAGENET1K_V1 vgg16_bn-6c64b313 224/256
VGG19 32 IMAGENET1K_V1 vgg19-dcbb9e9d 224/256
VGG19_BN 32 IMAGENET1K_V1 vgg19_bn-c79401a0 224/256
ViT_B_16 224 IMAGENET1K_V1 vit_b_16-c867db91 224/256
" 384 IMAGENET1K_SWAG_E2E_V1 vit_b_16_swag-9ac1b537 384/384 bicubic
" 224 IMAGENET1K_SWAG_LINEAR_V1 vit_b_16_lc_swag-4e70ced5 224/224 bicubic
ViT_B_32 224 IMAGENET1K_V1 vit_b_32-d86f8d99 224/256
ViT_H_14 518 IMAGENET1K_SWAG_E2E_V1 vit_h_14_swag-80465313 518/518 bicubic
" 224 IMAGENET1K_SWAG_LINEAR_V1 vit_h_14_lc_swag-c1eb923e 224/224 bicubic
ViT_L_16 224 IMAGENET1K_V1 vit_l_16-852ce7e3 224/242
" 512 IMAGENET1K_SWAG_E2E_V1 vit_l_16_swag-4f3808c9 512/512 bicubic
" 224 IMAGENET1K_SWAG_LINEAR_V1 vit_l_16_lc_swag-4d563306 224/224 bicubic
ViT_L_32 224 IMAGENET1K_V1 vit_l_32-c7638314 224/256
Wide_ResNet101_2 1 IMAGENET1K_V1 wide_resnet101_2-32ee1156 224/256
" 1 IMAGENET1K_V2 wide_resnet101_2-d733dc28 224/232
Wide_ResNet50_2 1 IMAGENET1K_V1 wide_resnet50_2-95faca4d 224/256
" 1 IMAGENET1K_V2 wide_resnet50_2-9ba9bcbe 224/232
"""
