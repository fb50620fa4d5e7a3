"""How often each predicate holds in the real data, and which contacts follow which.

The numbers are facts counted on Action Genome's training split (376,483 annotated objects): for
every object class the share of its annotations that carry a predicate, and for every contact the
share of the *next* annotations of the same thing in the same video that carry a contact. The
synthetic script draws from them, so that its long tails are the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

# One line a class: name | looking_at not_looking_at unsure | above beneath in_front_of behind
# on_the_side_of in | contacts. A line "> contact" below it: the contacts that follow. All in
# thousandths; what is missing rounds to 0.
_TABLE = """
bag | 456 440 104 | 2 7 841 32 246 0 | carrying:10 have_it_on_the_back:24 holding:717 not_contacting:139 other_relationship:9 touching:165
> carrying | carrying:183 have_it_on_the_back:397 holding:318 other_relationship:110 touching:185
> have_it_on_the_back | carrying:85 have_it_on_the_back:597 holding:278 not_contacting:7 other_relationship:36 sitting_on:1 touching:127
> holding | carrying:8 have_it_on_the_back:11 holding:827 not_contacting:49 other_relationship:6 touching:165
> not_contacting | holding:241 not_contacting:600 other_relationship:25 standing_on:1 touching:149
> other_relationship | carrying:90 have_it_on_the_back:86 holding:433 not_contacting:197 other_relationship:90 touching:116
> sitting_on | have_it_on_the_back:250 holding:750 touching:500
> touching | carrying:7 have_it_on_the_back:23 holding:682 not_contacting:97 other_relationship:5 touching:281
bed | 20 953 28 | 68 749 74 351 457 0 | leaning_on:72 lying_on:138 not_contacting:45 other_relationship:58 sitting_on:682 standing_on:1 touching:42
> holding | not_contacting:333 other_relationship:333 sitting_on:333
> leaning_on | leaning_on:300 lying_on:332 other_relationship:17 sitting_on:354 standing_on:1 touching:76
> lying_on | leaning_on:180 lying_on:593 not_contacting:8 other_relationship:14 sitting_on:210 touching:69
> not_contacting | holding:3 leaning_on:11 lying_on:15 not_contacting:519 other_relationship:292 sitting_on:124 touching:50
> other_relationship | leaning_on:18 lying_on:39 not_contacting:268 other_relationship:399 sitting_on:230 standing_on:7 touching:73
> sitting_on | holding:1 leaning_on:54 lying_on:31 not_contacting:12 other_relationship:36 sitting_on:866 standing_on:1 touching:69
> standing_on | leaning_on:83 sitting_on:667 standing_on:250 touching:167
> touching | holding:7 leaning_on:81 lying_on:62 not_contacting:54 other_relationship:82 sitting_on:675 standing_on:3 touching:229
blanket | 302 630 68 | 2 6 609 56 276 277 | carrying:63 covered_by:296 holding:424 lying_on:8 not_contacting:112 other_relationship:29 sitting_on:5 standing_on:2 touching:70
> carrying | carrying:310 covered_by:131 holding:505 not_contacting:16 other_relationship:25 touching:28
> covered_by | carrying:52 covered_by:747 holding:108 lying_on:1 not_contacting:24 other_relationship:43 sitting_on:1 touching:32
> holding | carrying:60 covered_by:57 holding:735 lying_on:5 not_contacting:56 other_relationship:13 sitting_on:1 standing_on:1 touching:83
> lying_on | covered_by:78 holding:110 lying_on:548 not_contacting:56 other_relationship:48 sitting_on:3 touching:170
> not_contacting | carrying:23 covered_by:57 holding:211 lying_on:1 not_contacting:506 other_relationship:47 sitting_on:5 standing_on:4 touching:150
> other_relationship | carrying:30 covered_by:167 holding:175 lying_on:14 not_contacting:258 other_relationship:208 sitting_on:4 standing_on:17 touching:157
> sitting_on | covered_by:71 holding:143 lying_on:71 not_contacting:71 other_relationship:18 sitting_on:375 standing_on:18 touching:250
> standing_on | holding:143 not_contacting:179 sitting_on:286 standing_on:345 touching:48
> touching | carrying:33 covered_by:43 holding:439 lying_on:26 not_contacting:147 other_relationship:48 sitting_on:10 touching:262
book | 678 296 27 | 3 1 928 10 135 0 | carrying:6 holding:668 not_contacting:117 other_relationship:8 touching:406
> carrying | carrying:333 holding:568 not_contacting:17 touching:104
> holding | carrying:3 holding:823 not_contacting:42 other_relationship:1 touching:359
> not_contacting | carrying:7 holding:166 not_contacting:608 other_relationship:19 touching:226
> other_relationship | holding:43 not_contacting:313 other_relationship:299 touching:349
> sitting_on | not_contacting:1000
> touching | carrying:2 holding:683 not_contacting:55 other_relationship:4 touching:510
box | 491 415 95 | 17 2 918 11 200 0 | carrying:12 holding:508 not_contacting:233 other_relationship:19 touching:327
> carrying | carrying:115 holding:493 not_contacting:24 other_relationship:117 touching:378
> holding | carrying:14 holding:794 not_contacting:55 other_relationship:5 touching:262
> not_contacting | holding:110 not_contacting:642 other_relationship:30 touching:233
> other_relationship | carrying:59 holding:156 not_contacting:406 other_relationship:148 touching:303
> sitting_on | holding:1000
> touching | carrying:10 holding:459 not_contacting:130 other_relationship:12 touching:535
broom | 412 458 129 | 2 7 811 51 349 0 | carrying:16 holding:846 not_contacting:118 other_relationship:10 touching:16
> carrying | carrying:322 holding:582 other_relationship:96
> holding | carrying:6 holding:932 not_contacting:46 other_relationship:7 touching:16
> not_contacting | carrying:6 holding:312 not_contacting:639 other_relationship:25 touching:19
> other_relationship | carrying:26 holding:616 not_contacting:234 other_relationship:89 touching:34
> sitting_on | holding:1000
> touching | carrying:15 holding:700 not_contacting:225 other_relationship:11 touching:60
chair | 16 974 9 | 0 898 23 863 62 0 | holding:3 leaning_on:309 lying_on:2 not_contacting:78 other_relationship:117 sitting_on:873 standing_on:14 touching:38
> holding | holding:60 leaning_on:175 not_contacting:95 other_relationship:127 sitting_on:643 standing_on:16 touching:290
> leaning_on | holding:2 leaning_on:510 lying_on:4 not_contacting:17 other_relationship:165 sitting_on:975 standing_on:2 touching:25
> lying_on | leaning_on:445 lying_on:96 other_relationship:99 sitting_on:893 touching:62
> not_contacting | holding:4 leaning_on:66 not_contacting:538 other_relationship:126 sitting_on:281 standing_on:16 touching:69
> other_relationship | holding:3 leaning_on:396 lying_on:5 not_contacting:156 other_relationship:246 sitting_on:764 standing_on:13 touching:64
> sitting_on | holding:2 leaning_on:342 lying_on:3 not_contacting:30 other_relationship:115 sitting_on:947 standing_on:9 touching:29
> standing_on | leaning_on:123 not_contacting:56 other_relationship:115 sitting_on:343 standing_on:527 touching:89
> touching | holding:20 leaning_on:206 lying_on:2 not_contacting:163 other_relationship:160 sitting_on:621 standing_on:24 touching:272
closet/cabinet | 670 304 26 | 2 0 765 68 423 40 | holding:270 leaning_on:2 not_contacting:590 other_relationship:17 touching:124
> holding | holding:529 leaning_on:1 not_contacting:273 other_relationship:11 touching:192
> leaning_on | holding:77 leaning_on:231 not_contacting:628 other_relationship:26 touching:38
> not_contacting | holding:165 leaning_on:1 not_contacting:718 other_relationship:16 touching:102
> other_relationship | holding:208 leaning_on:8 not_contacting:431 other_relationship:137 touching:231
> touching | holding:343 leaning_on:2 not_contacting:387 other_relationship:30 touching:244
clothes | 324 404 271 | 6 1 577 51 169 226 | carrying:20 covered_by:1 holding:517 lying_on:2 not_contacting:145 other_relationship:8 sitting_on:1 touching:127 wearing:275
> carrying | carrying:351 covered_by:26 holding:431 not_contacting:35 other_relationship:75 touching:32 wearing:72
> covered_by | carrying:143 covered_by:14 holding:71 not_contacting:71 touching:214 wearing:700
> holding | carrying:18 covered_by:1 holding:736 not_contacting:92 other_relationship:4 sitting_on:1 touching:77 wearing:115
> lying_on | lying_on:512 not_contacting:135 other_relationship:138 touching:315
> not_contacting | carrying:4 holding:269 lying_on:1 not_contacting:547 other_relationship:16 touching:132 wearing:48
> other_relationship | carrying:83 holding:409 lying_on:24 not_contacting:208 other_relationship:108 touching:126 wearing:43
> sitting_on | holding:714 sitting_on:95 wearing:190
> standing_on | covered_by:500 standing_on:500
> touching | carrying:11 covered_by:1 holding:312 lying_on:1 not_contacting:93 other_relationship:8 touching:296 wearing:503
> wearing | carrying:8 covered_by:3 holding:215 not_contacting:23 other_relationship:3 touching:239 wearing:792
cup/glass/bottle | 512 423 65 | 4 2 950 9 130 0 | drinking_from:173 holding:777 not_contacting:164 other_relationship:2 touching:112 wiping:4
> drinking_from | drinking_from:554 holding:979 not_contacting:7 touching:43 wiping:1
> holding | drinking_from:229 holding:906 not_contacting:48 other_relationship:1 touching:109 wiping:5
> not_contacting | drinking_from:13 holding:260 not_contacting:641 other_relationship:7 touching:118 wiping:1
> other_relationship | drinking_from:43 holding:385 not_contacting:326 other_relationship:191 touching:130 wiping:43
> sitting_on | drinking_from:500 holding:1000
> touching | drinking_from:65 holding:722 not_contacting:149 other_relationship:3 touching:262 wiping:4
> wiping | drinking_from:88 holding:891 not_contacting:37 other_relationship:4 touching:204 wiping:233
dish | 482 452 66 | 2 1 948 11 112 0 | carrying:1 holding:755 not_contacting:151 other_relationship:9 touching:72 wiping:15
> carrying | carrying:267 holding:208 not_contacting:250 touching:275
> holding | holding:836 not_contacting:72 other_relationship:6 touching:65 wiping:23
> not_contacting | carrying:1 holding:298 not_contacting:583 other_relationship:8 touching:103 wiping:10
> other_relationship | carrying:8 holding:268 not_contacting:342 other_relationship:253 touching:128
> sitting_on | holding:1000
> standing_on | holding:1000
> touching | holding:553 not_contacting:216 other_relationship:10 touching:224
> wiping | holding:549 not_contacting:106 touching:52 wiping:304
door | 358 499 144 | 4 2 528 129 379 16 | holding:122 not_contacting:625 other_relationship:1 touching:253
> holding | holding:369 not_contacting:310 sitting_on:1 touching:321
> leaning_on | not_contacting:1000
> not_contacting | holding:72 not_contacting:732 other_relationship:1 touching:197
> other_relationship | not_contacting:1000
> touching | holding:139 not_contacting:449 touching:413
doorknob | 336 583 82 | 19 6 549 110 321 0 | holding:344 not_contacting:505 touching:143 twisting:8
> holding | holding:559 not_contacting:233 touching:201 twisting:11
> not_contacting | holding:164 not_contacting:698 touching:133 twisting:5
> touching | holding:429 not_contacting:315 touching:255 twisting:1
> twisting | holding:689 not_contacting:33 touching:133 twisting:144
doorway | 86 733 181 | 0 0 231 227 237 421 | holding:63 leaning_on:8 not_contacting:773 other_relationship:30 standing_on:1 touching:126
> holding | holding:230 leaning_on:4 not_contacting:268 other_relationship:45 touching:460
> leaning_on | holding:19 leaning_on:96 not_contacting:789 other_relationship:19 touching:79
> not_contacting | holding:40 leaning_on:8 not_contacting:847 other_relationship:29 standing_on:1 touching:76
> other_relationship | holding:102 leaning_on:18 lying_on:5 not_contacting:553 other_relationship:86 touching:246
> standing_on | holding:62 not_contacting:625 other_relationship:125 standing_on:42 touching:146
> touching | holding:182 leaning_on:5 not_contacting:426 other_relationship:58 standing_on:2 touching:329
floor | 268 515 217 | 2 929 170 73 53 0 | lying_on:55 not_contacting:3 other_relationship:175 sitting_on:305 standing_on:460 touching:24
> lying_on | lying_on:610 other_relationship:244 sitting_on:76 standing_on:62 touching:94
> not_contacting | not_contacting:267 other_relationship:422 sitting_on:184 standing_on:127 touching:71
> other_relationship | lying_on:70 not_contacting:12 other_relationship:492 sitting_on:231 standing_on:177 touching:69
> sitting_on | lying_on:21 not_contacting:3 other_relationship:180 sitting_on:749 standing_on:46 touching:53
> standing_on | lying_on:13 not_contacting:1 other_relationship:65 sitting_on:60 standing_on:860 touching:12
> touching | lying_on:145 not_contacting:1 other_relationship:352 sitting_on:322 standing_on:153 touching:254
food | 395 397 209 | 3 51 894 7 46 0 | eating:65 holding:805 not_contacting:158 other_relationship:3 touching:33
> carrying | holding:667 not_contacting:333
> eating | eating:265 holding:906 not_contacting:71 other_relationship:1 touching:6
> holding | eating:71 holding:840 not_contacting:112 other_relationship:3 touching:42
> not_contacting | eating:20 holding:464 not_contacting:465 other_relationship:9 touching:63
> other_relationship | carrying:5 holding:442 not_contacting:488 other_relationship:22 sitting_on:14 touching:58
> sitting_on | holding:667 not_contacting:333
> touching | eating:5 holding:657 not_contacting:263 other_relationship:4 sitting_on:1 touching:78
groceries | 490 394 116 | 23 17 894 8 133 0 | eating:2 holding:653 lying_on:1 not_contacting:225 other_relationship:2 sitting_on:1 standing_on:1 touching:118
> carrying | holding:1000
> eating | eating:125 holding:375 not_contacting:500
> holding | eating:1 holding:739 not_contacting:148 other_relationship:1 sitting_on:2 standing_on:1 touching:109
> lying_on | holding:500 not_contacting:500
> not_contacting | holding:349 lying_on:2 not_contacting:533 other_relationship:1 touching:117
> other_relationship | holding:600 not_contacting:400
> sitting_on | holding:500 not_contacting:500
> standing_on | holding:1000
> touching | holding:458 lying_on:2 not_contacting:272 other_relationship:7 touching:263
laptop | 750 217 34 | 7 10 932 13 90 0 | carrying:2 holding:249 not_contacting:360 other_relationship:25 sitting_on:2 touching:380
> carrying | carrying:67 holding:500 not_contacting:167 other_relationship:100 touching:200
> holding | carrying:4 holding:602 not_contacting:57 other_relationship:16 sitting_on:1 touching:351
> lying_on | holding:333 not_contacting:333 touching:333
> not_contacting | carrying:1 holding:87 lying_on:4 not_contacting:644 other_relationship:37 sitting_on:1 touching:231
> other_relationship | carrying:5 holding:113 not_contacting:396 other_relationship:118 sitting_on:1 touching:377
> sitting_on | holding:133 not_contacting:600 other_relationship:67 touching:200
> standing_on | not_contacting:1000
> touching | carrying:1 holding:193 lying_on:1 not_contacting:242 other_relationship:27 sitting_on:3 touching:553
light | 405 517 78 | 225 5 393 121 259 0 | holding:73 not_contacting:642 touching:284
> holding | holding:489 not_contacting:256 touching:255
> not_contacting | holding:28 not_contacting:799 touching:172
> touching | holding:79 not_contacting:412 touching:508
medicine | 606 284 110 | 8 28 912 4 52 0 | carrying:4 eating:59 holding:751 not_contacting:172 touching:39 twisting:11
> carrying | carrying:409 eating:91 holding:45 not_contacting:500
> eating | carrying:18 eating:423 holding:676 not_contacting:104 other_relationship:4
> holding | carrying:2 eating:42 holding:875 not_contacting:64 touching:36 twisting:12
> not_contacting | carrying:1 eating:31 holding:272 not_contacting:585 touching:123 twisting:10
> other_relationship | not_contacting:1000
> sitting_on | holding:1000
> touching | eating:8 holding:489 not_contacting:325 touching:178
> twisting | eating:45 holding:822 twisting:178
mirror | 661 294 45 | 24 2 889 18 191 0 | holding:214 not_contacting:733 other_relationship:3 touching:27 wiping:34
> carrying | not_contacting:1000
> holding | holding:886 not_contacting:66 other_relationship:1 touching:62 wiping:34
> not_contacting | holding:53 not_contacting:912 other_relationship:3 touching:17 wiping:15
> other_relationship | not_contacting:790 other_relationship:210
> touching | holding:329 not_contacting:264 other_relationship:4 touching:369 wiping:113
> wiping | holding:171 not_contacting:317 other_relationship:8 touching:57 wiping:591
paper/notebook | 716 227 57 | 13 17 889 10 102 0 | carrying:6 holding:506 not_contacting:149 other_relationship:7 sitting_on:3 standing_on:1 touching:235 writing_on:122
> carrying | carrying:91 holding:369 not_contacting:69 other_relationship:203 sitting_on:52 touching:226
> holding | carrying:5 holding:762 not_contacting:63 other_relationship:3 sitting_on:2 standing_on:1 touching:139 writing_on:45
> lying_on | holding:500 touching:500
> not_contacting | carrying:7 holding:176 not_contacting:600 other_relationship:6 standing_on:1 touching:182 writing_on:32
> other_relationship | carrying:137 holding:104 not_contacting:230 other_relationship:145 sitting_on:43 touching:276 writing_on:121
> sitting_on | carrying:59 holding:235 not_contacting:118 sitting_on:29 touching:412 writing_on:176
> standing_on | holding:500 not_contacting:333 touching:111 writing_on:56
> touching | carrying:2 holding:322 not_contacting:131 other_relationship:6 sitting_on:2 standing_on:1 touching:417 writing_on:155
> writing_on | holding:179 not_contacting:24 other_relationship:5 sitting_on:2 standing_on:1 touching:383 writing_on:489
phone/camera | 644 320 37 | 32 7 793 5 229 0 | carrying:11 holding:907 not_contacting:56 other_relationship:2 touching:55
> carrying | carrying:423 holding:461 not_contacting:46 other_relationship:71 touching:33
> holding | carrying:5 holding:948 not_contacting:21 other_relationship:2 touching:56
> not_contacting | carrying:26 holding:299 not_contacting:559 other_relationship:12 touching:121
> other_relationship | carrying:417 holding:427 not_contacting:69 other_relationship:88
> sitting_on | holding:1000
> standing_on | holding:1000
> touching | carrying:4 holding:875 not_contacting:61 touching:82
picture | 798 149 53 | 96 18 833 7 55 0 | holding:652 not_contacting:304 other_relationship:1 touching:44
> holding | holding:886 not_contacting:65 other_relationship:1 touching:49
> not_contacting | holding:160 not_contacting:749 touching:91
> other_relationship | holding:1000
> touching | holding:557 not_contacting:255 touching:188
pillow | 337 556 107 | 65 38 629 69 291 0 | carrying:225 holding:295 leaning_on:40 lying_on:38 not_contacting:140 other_relationship:7 sitting_on:7 standing_on:1 touching:432
> carrying | carrying:453 holding:258 leaning_on:12 lying_on:11 not_contacting:37 other_relationship:6 touching:539
> holding | carrying:170 holding:511 leaning_on:6 lying_on:10 not_contacting:75 other_relationship:3 touching:387
> leaning_on | carrying:4 holding:64 leaning_on:585 lying_on:104 not_contacting:99 sitting_on:10 touching:272
> lying_on | carrying:90 holding:86 leaning_on:141 lying_on:531 not_contacting:29 touching:354
> not_contacting | carrying:28 holding:120 leaning_on:16 lying_on:1 not_contacting:618 other_relationship:16 sitting_on:3 standing_on:6 touching:219
> other_relationship | carrying:140 holding:231 leaning_on:45 lying_on:45 not_contacting:164 other_relationship:100 touching:295
> sitting_on | holding:139 leaning_on:167 sitting_on:694 touching:37
> standing_on | carrying:250 not_contacting:250 other_relationship:250 standing_on:250
> touching | carrying:252 holding:306 leaning_on:29 lying_on:26 not_contacting:68 other_relationship:3 sitting_on:3 touching:537
refrigerator | 503 283 213 | 0 0 792 63 426 0 | holding:112 leaning_on:1 not_contacting:504 other_relationship:1 touching:384
> holding | holding:334 not_contacting:312 touching:353
> leaning_on | touching:1000
> not_contacting | holding:68 not_contacting:662 other_relationship:1 touching:268
> other_relationship | not_contacting:1000
> touching | holding:108 leaning_on:1 not_contacting:357 other_relationship:1 touching:537
sandwich | 386 479 135 | 3 7 949 4 39 0 | carrying:3 eating:101 holding:839 not_contacting:125 touching:28
> carrying | carrying:482 eating:167 holding:497 touching:21
> eating | eating:325 holding:946 not_contacting:22 touching:1
> holding | carrying:2 eating:124 holding:924 not_contacting:46 touching:19
> not_contacting | eating:19 holding:358 not_contacting:578 other_relationship:1 touching:66
> other_relationship | eating:500 holding:500 not_contacting:500
> sitting_on | holding:1000
> touching | carrying:13 eating:26 holding:599 not_contacting:176 touching:214
shelf | 355 453 192 | 31 7 770 39 283 0 | holding:9 leaning_on:5 lying_on:1 not_contacting:772 touching:212
> holding | holding:144 not_contacting:415 touching:440
> leaning_on | leaning_on:51 not_contacting:733 touching:216
> lying_on | lying_on:62 not_contacting:812 touching:125
> not_contacting | holding:6 leaning_on:5 lying_on:2 not_contacting:811 other_relationship:2 touching:174
> other_relationship | not_contacting:1000
> sitting_on | not_contacting:1000
> touching | holding:16 leaning_on:6 lying_on:4 not_contacting:550 touching:423
shoe | 519 390 91 | 11 446 720 18 237 0 | carrying:1 holding:471 not_contacting:202 other_relationship:4 sitting_on:5 standing_on:1 touching:198 wearing:361
> carrying | holding:750 wearing:250
> holding | carrying:1 holding:689 not_contacting:124 other_relationship:1 sitting_on:2 standing_on:1 touching:195 wearing:247
> lying_on | not_contacting:1000
> not_contacting | holding:219 not_contacting:586 other_relationship:16 sitting_on:1 touching:160 wearing:203
> other_relationship | holding:56 not_contacting:556 other_relationship:139 touching:148 wearing:213
> sitting_on | holding:214 not_contacting:48 touching:500 wearing:738
> standing_on | standing_on:667 wearing:333
> touching | holding:463 not_contacting:115 other_relationship:2 sitting_on:3 touching:378 wearing:520
> wearing | carrying:1 holding:254 not_contacting:100 other_relationship:4 sitting_on:7 standing_on:1 touching:317 wearing:794
sofa/couch | 14 970 16 | 0 859 23 951 318 0 | holding:1 leaning_on:270 lying_on:74 not_contacting:88 other_relationship:21 sitting_on:808 touching:20
> holding | leaning_on:600 not_contacting:200 sitting_on:800 touching:200
> leaning_on | holding:1 leaning_on:460 lying_on:113 not_contacting:18 other_relationship:6 sitting_on:854 touching:21
> lying_on | leaning_on:342 lying_on:592 not_contacting:16 other_relationship:1 sitting_on:382 standing_on:2 touching:48
> not_contacting | leaning_on:51 lying_on:23 not_contacting:559 other_relationship:153 sitting_on:231 touching:40
> other_relationship | leaning_on:84 lying_on:12 not_contacting:470 other_relationship:156 sitting_on:331 touching:29
> sitting_on | holding:1 leaning_on:319 lying_on:48 not_contacting:29 other_relationship:11 sitting_on:904 touching:25
> standing_on | leaning_on:1000
> touching | holding:1 leaning_on:171 lying_on:85 not_contacting:166 other_relationship:75 sitting_on:597 touching:161
table | 32 855 114 | 0 28 766 24 184 0 | holding:1 leaning_on:2 lying_on:4 not_contacting:758 other_relationship:2 sitting_on:11 touching:217 wiping:5
> holding | holding:92 not_contacting:538 touching:369
> leaning_on | leaning_on:147 lying_on:29 not_contacting:545 sitting_on:4 touching:274
> lying_on | leaning_on:6 lying_on:622 not_contacting:68 sitting_on:35 touching:269
> not_contacting | leaning_on:1 lying_on:1 not_contacting:863 other_relationship:2 sitting_on:4 touching:124 wiping:5
> other_relationship | not_contacting:570 other_relationship:220 touching:211
> sitting_on | leaning_on:37 lying_on:22 not_contacting:257 sitting_on:644 touching:40
> touching | holding:3 leaning_on:2 lying_on:6 not_contacting:495 other_relationship:2 sitting_on:4 touching:478 wiping:11
> wiping | not_contacting:694 touching:98 wiping:208
television | 611 324 65 | 130 4 696 28 180 0 | holding:1 not_contacting:985 touching:13
> holding | not_contacting:500 touching:500
> leaning_on | not_contacting:1000
> not_contacting | not_contacting:979 touching:20
> other_relationship | not_contacting:1000
> touching | holding:80 not_contacting:686 touching:234
towel | 431 494 75 | 30 31 738 36 245 65 | carrying:62 covered_by:78 holding:645 lying_on:1 not_contacting:163 other_relationship:17 sitting_on:2 standing_on:1 touching:98 twisting:2
> carrying | carrying:273 covered_by:290 holding:411 not_contacting:42 other_relationship:53 touching:80
> covered_by | carrying:304 covered_by:464 holding:298 not_contacting:28 other_relationship:30 touching:78
> holding | carrying:36 covered_by:30 holding:816 not_contacting:70 other_relationship:14 touching:98 twisting:2
> lying_on | lying_on:833 touching:500
> not_contacting | carrying:26 covered_by:26 holding:284 not_contacting:562 other_relationship:19 sitting_on:1 standing_on:1 touching:120 twisting:1
> other_relationship | carrying:107 covered_by:95 holding:467 not_contacting:205 other_relationship:91 sitting_on:5 touching:97
> sitting_on | holding:333 not_contacting:190 sitting_on:476 touching:278
> standing_on | not_contacting:500 sitting_on:200 standing_on:300 touching:100
> touching | carrying:49 covered_by:44 holding:664 lying_on:1 not_contacting:116 other_relationship:25 sitting_on:1 standing_on:2 touching:206 twisting:3
> twisting | carrying:111 holding:741 not_contacting:259 touching:259 twisting:101
vacuum | 647 225 128 | 2 11 879 42 244 0 | have_it_on_the_back:1 holding:749 not_contacting:123 other_relationship:5 standing_on:1 touching:123
> have_it_on_the_back | have_it_on_the_back:250 holding:750
> holding | have_it_on_the_back:1 holding:798 not_contacting:67 other_relationship:6 touching:130
> not_contacting | holding:305 not_contacting:572 sitting_on:2 touching:122
> other_relationship | holding:633 not_contacting:100 other_relationship:67 touching:200
> sitting_on | touching:1000
> standing_on | holding:500 touching:500
> touching | holding:614 not_contacting:125 other_relationship:11 standing_on:7 touching:249
window | 698 229 72 | 47 1 674 35 263 0 | holding:48 leaning_on:37 lying_on:9 not_contacting:622 sitting_on:3 touching:260 wiping:22
> holding | holding:260 leaning_on:4 not_contacting:298 touching:438
> leaning_on | holding:20 leaning_on:242 lying_on:17 not_contacting:484 touching:238
> lying_on | leaning_on:229 lying_on:203 not_contacting:229 touching:370
> not_contacting | holding:28 leaning_on:31 lying_on:8 not_contacting:724 sitting_on:1 touching:200 wiping:8
> other_relationship | not_contacting:1000
> sitting_on | sitting_on:667 touching:333
> touching | holding:99 leaning_on:40 lying_on:15 not_contacting:367 touching:445 wiping:35
> wiping | not_contacting:278 touching:335 wiping:387
"""  # noqa: E501


@dataclass(frozen=True)
class ClassFrequencies:
    """Probabilities of one object class.

    attention (3) and spatial (6) in the order of the vocabulary, contacting by name; following: for
    each contact, the probability of every contact in the next annotation.
    """

    attention: tuple[float, ...]
    spatial: tuple[float, ...]
    contacting: Mapping[str, float]
    following: Mapping[str, Mapping[str, float]]


def _shares(text: str) -> dict[str, float]:
    return {name: int(share) / 1000 for name, share in (item.split(":") for item in text.split())}


@cache
def frequencies() -> Mapping[str, ClassFrequencies]:
    """The table by object class."""
    table: dict[str, ClassFrequencies] = {}
    following: dict[str, Mapping[str, float]] = {}
    for line in _TABLE.strip().splitlines():
        name, *parts = (part.strip() for part in line.split("|"))
        if name.startswith(">"):
            following[name.removeprefix("> ")] = _shares(parts[0])
        else:
            following = {}
            attention, spatial = (tuple(int(share) / 1000 for share in part.split()) for part in parts[:2])
            table[name] = ClassFrequencies(attention, spatial, _shares(parts[2]), following)
    return table
